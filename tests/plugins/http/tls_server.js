// A TLS server for one test: HTTP/2 and HTTP/1.1 on a free port, which it prints. Its answer is the version of HTTP
// and how many connections there have been. usage: node tls_server.js KEY CERTIFICATE
const fs = require('fs');
const http2 = require('http2');

const [key, cert] = process.argv.slice(2).map((name) => fs.readFileSync(name));
let connections = 0;
const server = http2.createSecureServer({key, cert, allowHTTP1: true}, (request, response) => {
  response.end(`${request.httpVersion} ${connections}`);
});
server.on('secureConnection', () => { connections += 1; });
server.on('tlsClientError', () => {});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));  // it goes when the test goes
