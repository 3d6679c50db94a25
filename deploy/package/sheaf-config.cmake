# SPDX-License-Identifier: Apache-2.0

# Use find_package(sheaf CONFIG REQUIRED) and link sheaf::client.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Protobuf)
find_dependency(gRPC CONFIG)
find_dependency(absl CONFIG)

get_filename_component(_sheaf_lib "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_sheaf_include "${_sheaf_lib}/../include/sheaf" ABSOLUTE)
foreach(_sheaf_name sheaf_proto sheaf_proto_messages sheaf_health_proto
        sheaf_health_proto_messages sheaf_client)
  string(REPLACE "sheaf_" "sheaf::" _sheaf_target ${_sheaf_name})
  if(NOT TARGET ${_sheaf_target})
    add_library(${_sheaf_target} STATIC IMPORTED)
    set_target_properties(${_sheaf_target} PROPERTIES
      IMPORTED_LOCATION "${_sheaf_lib}/lib${_sheaf_name}.a"
      INTERFACE_INCLUDE_DIRECTORIES "${_sheaf_include}")
    target_link_libraries(${_sheaf_target} INTERFACE
      gRPC::grpc++ protobuf::libprotobuf Threads::Threads)
  endif()
endforeach()
target_link_libraries(sheaf::client INTERFACE
  sheaf::proto sheaf::proto_messages sheaf::health_proto
  sheaf::health_proto_messages absl::function_ref absl::status absl::statusor
  absl::strings absl::str_format absl::synchronization absl::time)
