sheaf_test(client_test sheaf_client)
sheaf_test(client_lines_test sheaf_cli absl::flags_reflection
           nlohmann_json::nlohmann_json)
sheaf_test(client_cli_test sheaf_client nlohmann_json::nlohmann_json)
target_compile_definitions(client_cli_test
                           PRIVATE SHEAF_PROGRAM="$<TARGET_FILE:sheaf>")
add_dependencies(client_cli_test sheaf)
