# SPDX-License-Identifier: MIT
# Profile-guided optimization of release builds. The profile is committed, so that every build and the package have it;
# `make pgo` records a new one. A function that has changed since then is compiled as if there were no profile.
set(OCCWSERV_PROFILE "${PROJECT_SOURCE_DIR}/packaging/occwserv.profdata" CACHE STRING
    "the profile to optimize by; \"record\" to build a program that records one; empty for neither")

if(OCCWSERV_PROFILE STREQUAL "record")
    add_compile_options(-fprofile-generate)
    add_link_options(-fprofile-generate)
elseif(EXISTS "${OCCWSERV_PROFILE}")
    # -Wno-backend-plugin: the warning that a function has changed since the profile was recorded.
    set(use_profile "-fprofile-use=${OCCWSERV_PROFILE}" -Wno-backend-plugin -Wno-profile-instr-out-of-date)
    # An older clang cannot read a profile of a newer one.
    include(CheckCXXSourceCompiles)
    list(JOIN use_profile " " CMAKE_REQUIRED_FLAGS)
    check_cxx_source_compiles("int main() { return 0; }" OCCWSERV_PROFILE_IS_READABLE)
    unset(CMAKE_REQUIRED_FLAGS)
    if(OCCWSERV_PROFILE_IS_READABLE)
        add_compile_options(${use_profile})
        # A changed profile must rebuild every object, since ThinLTO cannot link objects of two profiles. Ninja rebuilds
        # what has another command line, so that has a digest of the profile.
        file(SHA256 "${OCCWSERV_PROFILE}" digest)
        string(SUBSTRING ${digest} 0 16 digest)
        add_compile_definitions(OCCWSERV_PROFILE_DIGEST=${digest})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${OCCWSERV_PROFILE}")
    else()
        message(STATUS "This compiler cannot read ${OCCWSERV_PROFILE}: building without it")
    endif()
endif()
