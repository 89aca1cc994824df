# SPDX-License-Identifier: MIT
# The few shapes our targets come in.

# occwserv_library(NAME SOURCES... LINK libraries...)
# A static library of our own, with our warnings. Its headers are included as "name/header.hpp".
function(occwserv_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE $<BUILD_INTERFACE:occwserv_flags>)
    target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
endfunction()

# occwserv_test(NAME SOURCES... LINK libraries...)
# A GoogleTest program; each of its tests is a test of ctest.
function(occwserv_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    if(NOT OCCWSERV_TESTS)
        return()
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LINK} occwserv_flags GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
endfunction()

# occwserv_fuzzer(NAME SOURCE LINK libraries...)
# A libFuzzer program from one source; its corpus is fuzz/corpus/NAME.
function(occwserv_fuzzer name source)
    cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${arg_LINK} occwserv_flags)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
