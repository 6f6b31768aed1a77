'use strict';

// Faye's server over Node's http, as its manual sets it up.

const faye = require('faye');
const { http, listen, own, timeout } = require('./serve');

const server = http.createServer((request, response) => {
  if (own(request, response)) return;
  response.writeHead(404);
  response.end();
});
new faye.NodeAdapter({ mount: '/cometd', timeout }).attach(server);
listen(server);
