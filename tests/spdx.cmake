# SPDX-License-Identifier: Apache-2.0

# Every source file names its license in one of its first two lines:
# cmake -DROOT=. -P spdx.cmake. The interfaces that come from others are listed
# in deploy/package/debian/copyright instead.
set(patterns *.h *.cc *.c *.proto *.cmake CMakeLists.txt *.sh *.py *.mjs *.go)

set(globs ${ROOT}/run ${ROOT}/.ci/run ${ROOT}/CMakeLists.txt)
file(GLOB entries ${ROOT}/*)
foreach(entry ${entries})
  if(IS_DIRECTORY ${entry} AND NOT entry STREQUAL ${ROOT}/build)
    foreach(pattern ${patterns})
      list(APPEND globs ${entry}/${pattern})
    endforeach()
  endif()
endforeach()
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${globs})
list(FILTER sources EXCLUDE REGEX "^(build/|proto/(google|grpc|inference)/)")

set(violations "")
foreach(file ${sources})
  file(STRINGS ${ROOT}/${file} lines LIMIT_COUNT 2)
  if(NOT lines MATCHES "(^|;)(//|#) SPDX-License-Identifier: Apache-2\\.0(;|$)")
    list(APPEND violations ${file})
  endif()
endforeach()
if(violations)
  list(JOIN violations "\n  " text)
  message(FATAL_ERROR "No line with the license:\n  ${text}")
endif()
