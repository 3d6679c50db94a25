#!/bin/sh
# SPDX-License-Identifier: Apache-2.0

# grpcurl gets the list of RPCs from the server by reflection.
server=$1
grpcurl -plaintext "$server" sheaf.v1.ModelService/ListModels
request='{"text": "Where is the train station?", "source_language": "en", "target_language": "de"}'
grpcurl -plaintext -max-time 10 -d "$request" "$server" sheaf.v1.TextService/Translate
grpcurl -plaintext -max-time 10 -d "$request" "$server" sheaf.v1.TextService/TranslateStream
grpcurl -plaintext -d '{"text": "a", "target_language": "xx"}' "$server" sheaf.v1.TextService/Translate
