# SPDX-License-Identifier: Apache-2.0

# The target sheaf_version: base/version.h for this version, commit and compiler.
# A library of its own, so that a commit compiles one file and links programs.
# Also included by the trainer's build, which is a project of its own.
set(SHEAF_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)
file(STRINGS ${SHEAF_ROOT}/CMakeLists.txt project_line REGEX "^project\\(sheaf ")
string(REGEX REPLACE ".*VERSION ([0-9.]+).*" "\\1" SHEAF_VERSION "${project_line}")

# Git looks for a repository in the parents too: only the project's own counts.
set(SHEAF_COMMIT "unknown")
find_program(GIT_EXECUTABLE git)
if(GIT_EXECUTABLE AND EXISTS ${SHEAF_ROOT}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --short=12 HEAD
    WORKING_DIRECTORY ${SHEAF_ROOT} OUTPUT_VARIABLE commit
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --git-path logs/HEAD
    WORKING_DIRECTORY ${SHEAF_ROOT} OUTPUT_VARIABLE log
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(commit)
    set(SHEAF_COMMIT ${commit})
  endif()
  # A new commit configures anew, which takes seconds.
  get_filename_component(log "${log}" ABSOLUTE BASE_DIR ${SHEAF_ROOT})
  if(EXISTS ${log})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${log})
  endif()
endif()

configure_file(${CMAKE_CURRENT_LIST_DIR}/version.cc.in
  ${CMAKE_CURRENT_BINARY_DIR}/version.cc @ONLY)
add_library(sheaf_version STATIC ${CMAKE_CURRENT_BINARY_DIR}/version.cc)
