#!/bin/sh
# From nothing to a prediction: sh example.sh FOLDER PICTURE, with the folder as the server sees it. Needs curl and jq.
set -eu
folder=$1 picture=$2 server=${TFMODEL_SERVER:-http://127.0.0.1:2333}

call() {  # the answer is in $answer; a refusal ends the program with what the server says
  answer=$(curl --silent --show-error --fail-with-body --header "Authorization: Bearer ${TFMODEL_TOKEN:-}" "$@") ||
    { echo "$answer" >&2; exit 1; }
}
of() { printf '%s' "$answer" | jq --raw-output "$1"; }

call "$server/v1/tasks" --form-string userId=7 --form-string projectId=42 \
  --form-string projectDir="$folder" --form-string trainType=classification
task=$server/v1/tasks/$(of .taskId)
while [ "$(of .state)" = pending ] || [ "$(of .state)" = processing ]; do
  call "$task?wait=30&since=$(of .seq)"
  of '"\(.progress) % \(.phase)"'
done
[ "$(of .state)" = done ] || { of '"The task is \(.state): \(.error)"' >&2; exit 1; }
of '"accuracy: \(.metrics.accuracy)"'
call "$task/predict" --form "picture=@$picture"
of '.predictions[0] | "\(.name): \(.label) (\(.probability))"'
call --output model.tflite "$task/artifacts/model.tflite"
