<?php
// From nothing to a prediction: php example.php FOLDER PICTURE, with the folder as the server sees it.
[, $folder, $picture] = $argv;

function call(string $method, string $path, ?array $fields = null): string {
    $server = getenv('TFMODEL_SERVER') ?: 'http://127.0.0.1:2333';
    $headers = ['Content-Type: application/json', 'Authorization: Bearer ' . getenv('TFMODEL_TOKEN')];
    $http = ['method' => $method, 'header' => $headers, 'ignore_errors' => true, 'timeout' => 60];
    $context = stream_context_create(['http' => $http + ($fields ? ['content' => json_encode($fields)] : [])]);
    $body = @file_get_contents($server . $path, false, $context);
    if ($body === false) throw new RuntimeException("$server does not answer.");
    if (!preg_match('/ 2\d\d /', $http_response_header[0])) throw new RuntimeException(json_decode($body)->error);
    return $body;
}

$fields = ['userId' => '7', 'projectId' => '42', 'projectDir' => $folder, 'trainType' => 'classification'];
for ($task = json_decode(call('POST', '/v1/tasks', $fields)); in_array($task->state, ['pending', 'processing']);) {
    $task = json_decode(call('GET', "/v1/tasks/$task->taskId?wait=30&since=$task->seq"));
    printf("%5.1f %% %s\n", $task->progress, $task->phase);
}
if ($task->state !== 'done') throw new RuntimeException("The task is $task->state: " . ($task->error ?? ''));
$sent = ['pictures' => [['base64' => base64_encode(file_get_contents($picture))]]];
[$seen] = json_decode(call('POST', "/v1/tasks/$task->taskId/predict", $sent))->predictions;
file_put_contents('model.tflite', call('GET', "/v1/tasks/$task->taskId/artifacts/model.tflite"));
printf("accuracy: %.3f\n%s: %s (%.2f)\n", $task->metrics->accuracy, $picture, $seen->label, $seen->probability);
