// A Node client with nothing but @grpc/grpc-js and the proto files.
//
// usage: client.js ADDRESS PROTO_FOLDER    prints one line of JSON: what it saw
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, protos] = process.argv.slice(2);
const {fermata} = grpc.loadPackageDefinition(loader.loadSync('fermata/v1/jobs.proto', {
  includeDirs: [protos], longs: Number, enums: String, defaults: true, oneofs: true,
}));
const jobs = new fermata.v1.Jobs(address, grpc.credentials.createInsecure());

const call = (method, request) => new Promise((resolve, reject) => {
  jobs[method](request, (error, answer) => (error ? reject(error) : resolve(answer)));
});

async function watch(name) {
  const kinds = [];
  for await (const event of jobs.Watch({name})) kinds.push(event.kind);
  return kinds;
}

async function main() {
  const input = Buffer.from(JSON.stringify({for: '5ms', value: {said: 'héllo 日本'}}));
  const submitted = await call('Submit', {job: {stage: 'time/delay', input, labels: {by: 'node'}}});
  const kinds = await watch(submitted.name);
  const ended = await call('Wait', {name: submitted.name});
  const ran = await call('Run', {job: {stage: 'time/delay', input}});
  const refused = await call('Run', {job: {pipeline: 'no-such-pipeline'}}).catch((error) => error);
  console.log(JSON.stringify({
    state: ended.state,
    result: JSON.parse(ended.result),
    last: kinds.pop(),
    ran: JSON.parse(ran.result),
    refused: grpc.status[refused.code],
  }));
  jobs.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
