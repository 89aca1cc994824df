# SPDX-License-Identifier: MIT
# What find_package(csp) finds: the component csp of an installation.
#   cmake --install build/release --component csp --prefix DIR
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/csp)
install(TARGETS csp EXPORT csp-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT csp)
install(EXPORT csp-targets NAMESPACE csp:: DESTINATION ${package} COMPONENT csp)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/csp-config.cmake.in csp-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(csp-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/csp-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/csp-config-version.cmake
    DESTINATION ${package} COMPONENT csp)

file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.hpp)
list(FILTER headers EXCLUDE REGEX "/test_support\\.hpp$")  # for GoogleTest; testing.hpp is for everybody
file(GLOB details CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/detail/*.hpp)
set(to ${CMAKE_INSTALL_INCLUDEDIR}/csp)
install(FILES ${headers} ${CSP_CONFIGURATION}/csp/config.hpp DESTINATION ${to} COMPONENT csp)
install(FILES ${details} DESTINATION ${to}/detail COMPONENT csp)
file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/doc/*.md)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/csp COMPONENT csp)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/csp/doc COMPONENT csp)
