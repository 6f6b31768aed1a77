'use strict';

// What both servers share: where they listen, and a way to collect garbage
// before memory is read. It prints one line when it listens.

const http = require('node:http');

/** The hold of a connect in seconds, the first argument of the program. */
exports.timeout = Number(process.argv[2] || 20);

exports.listen = function (server) {
  server.keepAliveTimeout = 600_000;
  server.requestTimeout = 0;
  server.headersTimeout = 600_000;
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    console.log('listening 127.0.0.1:' + server.address().port);
  });
  process.on('SIGTERM', () => process.exit(0));
};

/** Answers the benchmark's own requests; false means that it is none. */
exports.own = function (request, response) {
  if (request.url !== '/bench/gc') return false;
  if (global.gc) global.gc();
  response.end('done');
  return true;
};

exports.http = http;
