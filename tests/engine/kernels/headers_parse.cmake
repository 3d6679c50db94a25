# SPDX-License-Identifier: Apache-2.0

# Checks that every header of the kernels parses by itself, so that tools can
# open it: cmake -DROOT=. -DCXX=c++ -P headers_parse.cmake.
file(GLOB headers RELATIVE ${ROOT} ${ROOT}/engine/kernels/*.h)
if(NOT headers)
  message(FATAL_ERROR "no headers in ${ROOT}/engine/kernels")
endif()
foreach(header ${headers})
  execute_process(
    COMMAND ${CXX} -std=c++20 -fsyntax-only -Wall -Wextra -Werror
            -Wno-unused-function -I${ROOT} -include ${header}
            -x c++ /dev/null
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(SEND_ERROR "${header} does not parse by itself:\n${errors}")
  endif()
endforeach()
