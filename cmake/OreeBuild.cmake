# SPDX-License-Identifier: Apache-2.0
# Compiler settings, and oree_module(): one static library a folder of src/, with the tests that lie in it.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
# Assertions stay on in release: a bug must not become a wrong answer. No -g: it doubles the build on two cores. A section a
# function, so that the agent's linker leaves out what it does not use.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -ffunction-sections -fdata-sections")
set(CMAKE_C_FLAGS_RELEASE "-O2 -ffunction-sections -fdata-sections")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")

option(OREE_WERROR "Treat warnings as errors" ON)
option(OREE_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(OREE_CAMERA "Build the camera application (needs GStreamer and OpenCV)" ON)
set(OREE_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

add_library(oree_flags INTERFACE)
target_compile_options(oree_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion
                       -Wno-sign-conversion -Wimplicit-fallthrough -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 and 13 raise it wrongly inside std::variant and std::optional; the sanitizers look for the real thing.
  target_compile_options(oree_flags INTERFACE -Wno-maybe-uninitialized)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13 AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    # Ubuntu 24.04's pair of GCC 13 and fmt 9 raises these inside fmt's own buffers.
    target_compile_options(oree_flags INTERFACE -Wno-array-bounds -Wno-stringop-overflow)
  endif()
endif()
if(OREE_WERROR)
  target_compile_options(oree_flags INTERFACE -Werror)
endif()
if(OREE_FUZZ)
  # A sanitizer's runtime has what the coverage calls, also in programs that are no fuzz targets.
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang" OR NOT OREE_SANITIZE)
    message(FATAL_ERROR "OREE_FUZZ needs clang and a sanitizer: CXX=clang++ CC=clang cmake --preset asan -DOREE_FUZZ=ON")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
set(OREE_TEST_ENVIRONMENT)
if(OREE_SANITIZE)
  # Sanitizers end a process that loads OpenVINO's threading library (it asks for RTLD_DEEPBIND): tests have it absent.
  # So are plug-ins, whose engines are as large and keep as much; the tests' own is compiled along.
  set(OREE_TEST_ENVIRONMENT OREE_OPENVINO_LIBRARY=/absent/under/sanitizers OREE_ENGINES=/absent/under/sanitizers)
  add_compile_options(-fsanitize=${OREE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OREE_SANITIZE})
endif()
target_include_directories(oree_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(oree_flags INTERFACE OREE_VERSION="${PROJECT_VERSION}")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)

add_library(oree_doctest_main OBJECT ${CMAKE_SOURCE_DIR}/tests/doctest_main.cc)

# oree_module(core/base DEPS core/io LIBS fmt::fmt)
#   library  oree_core_base  from every *.cc of the folder but *_test.cc
#   test     test_core_base  from its *_test.cc, where there are any; TEST_DEPS are modules that only the tests use
#   SMALL: in a release for size, not speed: what the agent keeps in memory and where no time is spent
function(oree_module path)
  cmake_parse_arguments(ARG "SMALL" "" "DEPS;LIBS;TEST_DEPS;TEST_LIBS" ${ARGN})
  string(REPLACE "/" "_" name ${path})
  set(dir ${CMAKE_SOURCE_DIR}/src/${path})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(deps ${ARG_DEPS})
  list(TRANSFORM deps REPLACE "/" "_")
  list(TRANSFORM deps PREPEND oree_)
  if(sources)
    add_library(oree_${name} STATIC ${sources})
    target_link_libraries(oree_${name} PUBLIC oree_flags ${deps} PRIVATE ${ARG_LIBS})
    if(ARG_SMALL)
      target_compile_options(oree_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
    endif()
  else()
    add_library(oree_${name} INTERFACE)
    target_link_libraries(oree_${name} INTERFACE oree_flags ${deps} ${ARG_LIBS})
  endif()
  if(tests)
    set(test_deps ${ARG_TEST_DEPS})
    list(TRANSFORM test_deps REPLACE "/" "_")
    list(TRANSFORM test_deps PREPEND oree_)
    add_executable(test_${name} ${tests} $<TARGET_OBJECTS:oree_doctest_main>)
    target_link_libraries(test_${name} PRIVATE oree_${name} ${test_deps} ${ARG_LIBS} ${ARG_TEST_LIBS} fmt::fmt)
    target_compile_definitions(test_${name} PRIVATE OREE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                               OREE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    add_test(NAME ${path} COMMAND test_${name})
    set_tests_properties(${path} PROPERTIES TIMEOUT 300 ENVIRONMENT "${OREE_TEST_ENVIRONMENT}")
  endif()
endfunction()
