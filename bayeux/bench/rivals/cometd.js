'use strict';

// CometD's server for Node: long-polling only. The limit of held connects per
// browser is off, as in the server that it is compared with.

const cometd = require('cometd-nodejs-server');
const { http, listen, own, timeout } = require('./serve');

const bayeux = cometd.createCometDServer({
  timeout: timeout * 1000,
  maxInterval: 60_000,
  maxSessionsPerBrowser: -1,
});
listen(http.createServer((request, response) => {
  if (!own(request, response)) bayeux.handle(request, response);
}));
