sheaf_test(sheaf_bench_test sheaf_bench_parts nlohmann_json::nlohmann_json)
target_compile_definitions(sheaf_bench_test
                           PRIVATE SHEAF_BENCH="$<TARGET_FILE:sheaf-bench>")
add_dependencies(sheaf_bench_test sheaf-bench)
