# SPDX-License-Identifier: Apache-2.0

# Who may include whom (docs/ARCHITECTURE.md), checked by the #include lines:
# cmake -DROOT=. -P layering.cmake. The targets' link lists say the same; but
# project and system headers are visible to every file.

# forbid(FILES regex EXCEPT regex INCLUDES regex ALLOWS regex): no file of the
# project whose path matches FILES, and not EXCEPT, includes a header that
# matches INCLUDES, and not ALLOWS.
get_filename_component(ROOT "${ROOT}" ABSOLUTE)
set(violations "")
function(forbid)
  cmake_parse_arguments(RULE "" "FILES;EXCEPT;INCLUDES;ALLOWS" "" ${ARGN})
  foreach(file ${sources})
    if(NOT file MATCHES "${RULE_FILES}")
      continue()
    endif()
    if(RULE_EXCEPT AND file MATCHES "${RULE_EXCEPT}")
      continue()
    endif()
    file(STRINGS ${ROOT}/${file} lines REGEX "^#include [<\"]")
    foreach(line ${lines})
      string(REGEX REPLACE "^#include [<\"]([^>\"]*).*" "\\1" header "${line}")
      if(RULE_ALLOWS AND header MATCHES "${RULE_ALLOWS}")
        continue()
      endif()
      if(header MATCHES "${RULE_INCLUDES}")
        list(APPEND violations "${file} includes ${header}")
      endif()
    endforeach()
  endforeach()
  set(violations "${violations}" PARENT_SCOPE)
endfunction()

get_filename_component(ROOT ${ROOT} ABSOLUTE)
set(globs "")
foreach(folder base text engine server client train bench tests)
  list(APPEND globs ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cc)
endforeach()
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${globs})

# The base knows nothing of what it is used for.
forbid(FILES "^base/"
  INCLUDES "^(engine|text|server|client|train|sheaf)/")
# The text side knows the base, and the interface of a stop condition.
forbid(FILES "^text/" ALLOWS "^engine/stop_condition\\.h$"
  INCLUDES "^(engine|server|client|train|sheaf)/|^grpc|^google/")
# The engine knows no gRPC, no protobuf, no Prometheus, no text, no flags.
forbid(FILES "^engine/"
  INCLUDES "^(text/|server/|client/|sheaf/v1/|grpc|google/|prometheus|sentencepiece|unicode/|absl/flags)")
# The engine proper knows no model, and no JSON, which a model's files are.
forbid(FILES "^engine/[^/]*$"
  INCLUDES "^(engine/model/|base/(strict_json|key_reader)|nlohmann|oneapi)")
# These headers of the base need the standard library only, for the trainer.
forbid(FILES "^base/(bf16|check|enum_names|hash|round_up|version)\\.h$"
  INCLUDES "^(absl|nlohmann|base)/")
# Abseil's flags are read in two places of the base, and the JSON library in two.
forbid(FILES "^base/" EXCEPT "^base/(flag_parser|program)\\.(h|cc)$"
  INCLUDES "^absl/flags/")
forbid(FILES "^base/" EXCEPT "^base/(strict_json|key_reader)\\.(h|cc)$"
  INCLUDES "^nlohmann")
# Kernels know pointers and shapes.
forbid(FILES "^engine/kernels/"
  INCLUDES "^(base/|engine/[^k]|engine/kv|thread|mutex|absl/status)")
# Each of these libraries is included in one place.
forbid(FILES "." EXCEPT "^bench/one_dnn_linear\\.cc$" INCLUDES "^oneapi/")
forbid(FILES "." EXCEPT "^server/ops/metrics\\.cc$" INCLUDES "^prometheus/")
forbid(FILES "."
  EXCEPT "^(server/(ops/http_listener\\.cc$|http/)|client/http_(client|stream)\\.)"
  INCLUDES "^boost/")
forbid(FILES "." EXCEPT "^(server/access/pem\\.cc$|tests/)"
  INCLUDES "^openssl/pem")
forbid(FILES "." EXCEPT "^text/language_detector\\.cc$" INCLUDES "^cld2/")
forbid(FILES "." EXCEPT "^text/(markup/xml_parser|documents/xliff_document)\\.cc$"
  INCLUDES "^expat")
forbid(FILES "." EXCEPT "^tests/text/markup/html_tree\\.cc$" INCLUDES "^gumbo")
forbid(FILES "." EXCEPT "^(text/|tests/text/)"
  INCLUDES "^(sentencepiece|unicode/)")
# The server takes engine and model together in one place.
forbid(FILES "^server/" EXCEPT "^server/(main\\.cc|server_model\\.(h|cc))$"
  INCLUDES "^engine/model/")
forbid(FILES "^server/" EXCEPT "^server/(main|server_model)\\.cc$"
  INCLUDES "^server/server_model\\.h$")
forbid(FILES "^server/" INCLUDES "^client/")
# gRPC is the business of its front, of what starts it, and of the client.
forbid(FILES "." EXCEPT "^(server/grpc/|server/server\\.cc$|client/|tests/)"
  INCLUDES "^grpc|\\.grpc\\.pb\\.h$")
# A front knows the middle of the server, which knows no front. Access and
# operations know neither; addresses and their sockets serve all.
forbid(FILES "^server/[^/]*$" EXCEPT "^server/(server|main)\\.cc$"
  INCLUDES "^server/(grpc|http)/")
forbid(FILES "^server/grpc/" INCLUDES "^server/http/")
forbid(FILES "^server/http/" INCLUDES "^server/grpc/")
forbid(FILES "^server/(access|ops)/"
  INCLUDES "^server/[^/]*$|^server/(grpc|http)/|^sheaf/v1/")
# The client knows the contract, and the formats of files.
forbid(FILES "^client/" ALLOWS "^text/documents/document\\.h$"
  INCLUDES "^(server|text|engine)/")
# The served parts know nothing of how models are made.
forbid(FILES "^(base|text|engine|server|client)/"
  INCLUDES "^(train/|Eigen|torch)")
# Programs that make models know the text, but no server.
forbid(FILES "^train/" INCLUDES "^server/")
# The trainer builds where there is only libtorch. Of the project it includes the
# headers that need nothing but the standard library.
forbid(FILES "^train/(common|uptrain)/"
  ALLOWS "^(base/(bf16|check|enum_names|hash|round_up|version)|engine/kernels/activation|engine/model/(architecture|tensor_list))\\.h$"
  INCLUDES "^(base/|text/|engine/|server/|client/|absl/|nlohmann|Eigen|train/(convert|evaluate|tokenize)/)")
forbid(FILES "." EXCEPT "^(train/uptrain/|tests/train/)"
  INCLUDES "^(torch/|ATen/|c10/)")

# The headers that the trainer may share with the rest need the standard library
# only.
set(plain "^(base/(bf16|check|enum_names|hash|round_up|version)|engine/kernels/activation|engine/model/(architecture|tensor_list))\\.h$")
forbid(FILES "${plain}" ALLOWS "${plain}" INCLUDES "[/.]")
forbid(FILES "^engine/model/tensor_list\\.cc$" ALLOWS "${plain}"
  INCLUDES "[/.]")

# forbid_names(FILES regex EXCEPT regex NAMES name...): no file whose path
# matches FILES, and not EXCEPT, contains one of the names of families, also
# within a longer word ("kT5Types") and with capital letters.
function(forbid_names)
  cmake_parse_arguments(RULE "" "FILES;EXCEPT" "NAMES" ${ARGN})
  if(NOT RULE_NAMES)
    message(FATAL_ERROR "No names of families for ${RULE_FILES}")
  endif()
  foreach(name ${RULE_NAMES})
    string(SUBSTRING ${name} 0 1 initial)
    string(SUBSTRING ${name} 1 -1 rest)
    string(TOUPPER ${name} upper)
    string(TOUPPER ${initial} initial)
    list(APPEND spellings ${name} ${upper} ${initial}${rest})
  endforeach()
  list(JOIN spellings "|" spellings)
  foreach(file ${sources})
    if(NOT file MATCHES "${RULE_FILES}" OR file MATCHES "${RULE_EXCEPT}")
      continue()
    endif()
    file(STRINGS ${ROOT}/${file} lines
      REGEX "(^|[^A-Za-z0-9])[a-z]?(${spellings})")
    foreach(line ${lines})
      list(APPEND violations "${file} names a family: ${line}")
    endforeach()
  endforeach()
  set(violations "${violations}" PARENT_SCOPE)
endfunction()

# In engine/, only the files of families/ name a family. The names are those of
# the files and of their model types.
set(names "")
file(GLOB families ${ROOT}/engine/model/families/*.cc)
foreach(path ${families})
  get_filename_component(stem ${path} NAME_WE)
  file(READ ${path} text)
  string(REGEX MATCH "kModelTypes\\[\\] = {[^;]*" types "${text}")
  if(NOT types)
    continue()  # the registry, or a table of keys
  endif()
  list(APPEND names ${stem})
  string(REGEX MATCHALL "{\"[a-z0-9_-]+\"" types "${types}")
  string(REGEX REPLACE "[{\"]" "" types "${types}")
  list(APPEND names ${types})
endforeach()
list(REMOVE_DUPLICATES names)
forbid_names(FILES "^engine/" EXCEPT "^engine/model/families/" NAMES ${names})

# In text/, only families.cc does. The names are those of its model types.
file(READ ${ROOT}/text/families.cc text)
string(REGEX MATCHALL "Types\\[\\] = {[^}]*}" types "${text}")
string(REGEX MATCHALL "\"[a-z0-9_-]+\"" types "${types}")
string(REPLACE "\"" "" types "${types}")
forbid_names(FILES "^text/" EXCEPT "^text/families\\.cc$" NAMES ${types})

if(violations)
  list(JOIN violations "\n  " text)
  message(FATAL_ERROR "These lines break the layers:\n  ${text}")
endif()
