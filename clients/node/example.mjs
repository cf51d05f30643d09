// From nothing to a prediction: node example.mjs FOLDER PICTURE, with the folder as the server sees it.
import { readFile, writeFile } from 'node:fs/promises';

const { TFMODEL_SERVER: server = 'http://127.0.0.1:2333', TFMODEL_TOKEN: token = '' } = process.env;
const [folder, picture] = process.argv.slice(2);

async function call(method, path, fields) {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
  const answer = await fetch(server + path, { method, headers, body: fields && JSON.stringify(fields) });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.headers.get('Content-Type').startsWith('application/json') ? answer.json() : answer.arrayBuffer();
}

const fields = { userId: '7', projectId: '42', projectDir: folder, trainType: 'classification' };
let task = await call('POST', '/v1/tasks', fields);
while (['pending', 'processing'].includes(task.state)) {
  task = await call('GET', `/v1/tasks/${task.taskId}?wait=30&since=${task.seq}`);
  console.log(`${task.progress.toFixed(1)} % ${task.phase}`);
}
if (task.state !== 'done') throw new Error(`The task is ${task.state}: ${task.error}`);
const base64 = (await readFile(picture)).toString('base64');
const { predictions: [seen] } = await call('POST', `/v1/tasks/${task.taskId}/predict`, { pictures: [{ base64 }] });
await writeFile('model.tflite', Buffer.from(await call('GET', `/v1/tasks/${task.taskId}/artifacts/model.tflite`)));
console.log(`accuracy: ${task.metrics.accuracy.toFixed(3)}`);
console.log(`${picture}: ${seen.label} (${seen.probability.toFixed(2)})`);
