# athena_module(base DEPS query http LINK Boost::headers SOURCES a.cpp TESTS a_test.cpp HEADERS athena/base/a.h)
#
# One static library athena_<name> with its own include root: a header of a module that is not linked cannot be found.
# SOURCES and TESTS are relative to src/, HEADERS to include/. DEPS are modules (public), LINK is third party (private).
# With TESTS, an executable <name>_tests and one ctest per binary.
function(athena_module name)
  cmake_parse_arguments(M "" "" "DEPS;LINK;SOURCES;TESTS;TEST_LINK;HEADERS" ${ARGN})
  set(target athena_${name})
  list(TRANSFORM M_SOURCES PREPEND src/)
  list(TRANSFORM M_HEADERS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/include/)
  add_library(${target} STATIC ${M_SOURCES})
  add_library(athena::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${M_HEADERS})
  target_include_directories(${target} PRIVATE src)
  target_compile_features(${target} PUBLIC cxx_std_23)
  list(TRANSFORM M_DEPS PREPEND athena_)
  target_link_libraries(${target} PUBLIC ${M_DEPS} PRIVATE ${M_LINK})
  set_property(GLOBAL APPEND PROPERTY ATHENA_MODULES ${target})
  if(ATHENA_TESTS AND M_TESTS)
    list(TRANSFORM M_TESTS PREPEND src/)
    add_executable(${name}_tests ${M_TESTS})
    target_include_directories(${name}_tests PRIVATE src)
    target_link_libraries(${name}_tests PRIVATE ${target} ${M_LINK} ${M_TEST_LINK} GTest::gmock GTest::gtest_main)
    add_test(NAME unit.${name} COMMAND ${name}_tests --gtest_brief=1)
    set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# Installs the modules that were configured as one CMake package: find_package(athena) → athena::driver.
function(athena_install_package)
  get_property(modules GLOBAL PROPERTY ATHENA_MODULES)
  set(installed)
  foreach(module IN LISTS modules)
    if(NOT module MATCHES "athena_(gateway|app|testing)$")
      list(APPEND installed ${module})
    endif()
  endforeach()
  include(CMakePackageConfigHelpers)
  install(TARGETS ${installed} EXPORT athena-targets FILE_SET HEADERS COMPONENT development)
  install(EXPORT athena-targets NAMESPACE athena::
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/athena COMPONENT development)
  configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/athena-config.cmake.in
    ${CMAKE_BINARY_DIR}/athena-config.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/athena)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/athena-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/athena-config.cmake ${CMAKE_BINARY_DIR}/athena-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/athena COMPONENT development)
endfunction()
