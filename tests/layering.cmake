# Who may include whom (docs/ARCHITECTURE.md), checked by the #include lines:
# cmake -DROOT=. -P layering.cmake. The targets' link lists say the same; but
# project and system headers are visible to every file.

# forbid(FILES regex EXCEPT regex INCLUDES regex): no file of the project whose
# path matches FILES, and not EXCEPT, includes what matches INCLUDES.
set(violations "")
function(forbid)
  cmake_parse_arguments(RULE "" "FILES;EXCEPT;INCLUDES" "" ${ARGN})
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
      if(header MATCHES "${RULE_INCLUDES}")
        list(APPEND violations "${file} includes ${header}")
      endif()
    endforeach()
  endforeach()
  set(violations "${violations}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE sources RELATIVE ${ROOT}
  ${ROOT}/files/*.h ${ROOT}/files/*.cc ${ROOT}/engine/*.h ${ROOT}/engine/*.cc ${ROOT}/server/*.h
  ${ROOT}/server/*.cc ${ROOT}/client/*.h ${ROOT}/client/*.cc
  ${ROOT}/train/*.h ${ROOT}/train/*.cc)

# Reading files knows nothing of what they are for.
forbid(FILES "^files/" INCLUDES "^(engine|server|client|train|sheaf)/")
# The engine knows no gRPC, no protobuf, no Prometheus, no text, no flags.
forbid(FILES "^engine/"
  INCLUDES "^(server/|client/|sheaf/v1/|grpc|google/|prometheus|sentencepiece|unicode/|absl/flags)")
# The engine proper knows no model; a model's files are JSON, the engine's not.
forbid(FILES "^engine/[^/]*$" INCLUDES "^(engine/model/|nlohmann|oneapi)")
# Kernels know pointers and shapes.
forbid(FILES "^engine/kernels/"
  INCLUDES "^(engine/[^k]|engine/kv|thread|mutex|absl/status)")
# oneDNN is measured against; Prometheus and Boost are one file's business each.
forbid(FILES "." EXCEPT "^bench/one_dnn_linear\\.cc$" INCLUDES "^oneapi/")
forbid(FILES "." EXCEPT "^server/metrics\\.cc$" INCLUDES "^prometheus/")
forbid(FILES "." EXCEPT "^server/http_listener\\.cc$" INCLUDES "^boost/")
forbid(FILES "." EXCEPT "^server/text/" INCLUDES "^(sentencepiece|unicode/)")
# The server takes engine and model together in one place.
forbid(FILES "^server/" EXCEPT "^server/main\\.cc$" INCLUDES "^engine/model/")
forbid(FILES "^server/" INCLUDES "^client/")
forbid(FILES "^server/text/" INCLUDES "^(server/[^t]|engine/[^c]|sheaf/v1/|grpc)")
# The client knows the contract alone.
forbid(FILES "^client/" INCLUDES "^(server/|engine/)")
# What is served knows nothing of how models are made.
forbid(FILES "^(engine|server|client)/" INCLUDES "^(train/|Eigen|torch)")
# Of the server, those who make models know the text side alone.
forbid(FILES "^train/" INCLUDES "^server/[^t]")
# The trainer builds where there is only libtorch.
forbid(FILES "^train/(common|uptrain)/"
  INCLUDES "^(engine/|server/|client/|absl/|nlohmann|Eigen|train/(convert|evaluate|tokenize)/)")
forbid(FILES "." EXCEPT "^train/uptrain/" INCLUDES "^(torch/|ATen/|c10/)")

if(violations)
  list(JOIN violations "\n  " text)
  message(FATAL_ERROR "Includes against the layers:\n  ${text}")
endif()
