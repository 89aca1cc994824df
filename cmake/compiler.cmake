# SPDX-License-Identifier: MIT
# Which compiler, and with which warnings and checks, our own code is built.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    message(FATAL_ERROR
        "occwserv is built with clang 19 or newer: g++ destroys some temporaries in co_await expressions twice "
        "(GCC bugs 99576, 100611, 101367, 101976). On Debian 12: apt install clang-22, then "
        "cmake -DCMAKE_CXX_COMPILER=clang++-22.")
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
    message(FATAL_ERROR
        "occwserv needs clang 19 or newer, for std::expected with libstdc++ and for coro_lifetimebound; found "
        "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. On Debian 12: apt install clang-22.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# One of: none, address (with undefined), thread. Set by the presets asan, tsan and fuzz.
set(OCCWSERV_SANITIZE "none" CACHE STRING "sanitizer: none, address or thread")

add_library(occwserv_flags INTERFACE)
target_compile_options(occwserv_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdangling -Wunused-result -Wconsumed
    -Wthread-safety -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror
    -fno-omit-frame-pointer -fstack-protector-strong)
target_include_directories(occwserv_flags INTERFACE ${PROJECT_SOURCE_DIR})

# Hardening, in every build: limits what a bug in our own code can be used for. docs/HAZARDS.md says what all of it costs.
include(CheckCXXCompilerFlag)
foreach(flag -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "OCCWSERV_HAS${flag}" has_flag)
    check_cxx_compiler_flag(${flag} ${has_flag})  # -fcf-protection is x86's, -mbranch-protection ARM's
    if(${has_flag})
        target_compile_options(occwserv_flags INTERFACE ${flag})
    endif()
endforeach()
target_compile_definitions(occwserv_flags INTERFACE _GLIBCXX_ASSERTIONS)

find_program(OCCWSERV_LLD NAMES ld.lld-22 ld.lld-21 ld.lld-20 ld.lld-19 ld.lld)
if(OCCWSERV_LLD)
    add_link_options(--ld-path=${OCCWSERV_LLD})
endif()
add_link_options(-Wl,-z,relro,-z,now)

if(OCCWSERV_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
    add_link_options(-fsanitize=address,undefined)
elseif(OCCWSERV_SANITIZE STREQUAL "thread")
    add_compile_options(-fsanitize=thread)
    add_link_options(-fsanitize=thread)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    # _FORTIFY_SOURCE and the sanitizers each replace libc's functions; only one of them can.
    target_compile_definitions(occwserv_flags INTERFACE _FORTIFY_SOURCE=2)
    if(OCCWSERV_LLD)
        add_compile_options(-flto=thin)
        # csp, which is installed for programs that are linked otherwise, has machine code besides: --fat-lto-objects.
        add_link_options(-flto=thin -Wl,--fat-lto-objects -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto)
        set(OCCWSERV_LTO ON)
    endif()
    include(profile)
endif()
if(OCCWSERV_FUZZ)
    # Coverage for every object; only the fuzzers link libFuzzer's main.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
