sheaf_test(tokenizer_test sheaf_text)
sheaf_test(stream_detokenizer_test sheaf_text)
sheaf_test(segmenter_test sheaf_text)
sheaf_test(tasks_test sheaf_text)
