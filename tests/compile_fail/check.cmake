# SPDX-License-Identifier: MIT
# Compiles SOURCE and passes if the compiler says what the file expects; without an expectation it must compile.

execute_process(
    COMMAND ${COMPILER} -std=c++${STANDARD} -I${ROOT} -I${CONFIGURATION} -fsyntax-only -Wall -Wextra -Wdangling -Wunused-result -Werror ${SOURCE}
    RESULT_VARIABLE result ERROR_VARIABLE messages)
file(STRINGS ${SOURCE} expectation REGEX "^// expect: " LIMIT_COUNT 1)

if(NOT expectation)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "this must compile, and does not:\n${messages}")
    endif()
    return()
endif()

string(REGEX REPLACE "^// expect: " "" expected "${expectation}")
if(result EQUAL 0)
    message(FATAL_ERROR "this must not compile, and does")
endif()
string(FIND "${messages}" "${expected}" place)
if(place EQUAL -1)
    message(FATAL_ERROR "expected the compiler to say\n  ${expected}\nbut it says\n${messages}")
endif()
