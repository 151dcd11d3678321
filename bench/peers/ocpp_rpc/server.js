// A central system of ocpp-rpc, as its documentation shows one, validating both directions (strictMode). It serves
// ws://127.0.0.1:PORT/ocpp/{identity} until its standard input closes.
'use strict';

const { RPCServer, createRPCError } = require('ocpp-rpc');

const INTERVAL = 300; // seconds between Heartbeats
let transactions = 0;

const now = () => new Date().toISOString();
const accepted = { status: 'Accepted' };

const server = new RPCServer({ protocols: ['ocpp1.6', 'ocpp2.0.1'], strictMode: true });

server.auth((accept) => accept());

server.on('client', (client) => {
  client.handle('BootNotification', () => ({ status: 'Accepted', interval: INTERVAL, currentTime: now() }));
  client.handle('Heartbeat', () => ({ currentTime: now() }));
  client.handle('StatusNotification', () => ({}));
  client.handle('MeterValues', () => ({}));
  if (client.protocol === 'ocpp2.0.1') {
    client.handle('Authorize', () => ({ idTokenInfo: accepted }));
    client.handle('TransactionEvent', () => ({}));
  } else {
    client.handle('Authorize', () => ({ idTagInfo: accepted }));
    client.handle('StartTransaction', () => ({ transactionId: ++transactions, idTagInfo: accepted }));
    client.handle('StopTransaction', () => ({}));
  }
  client.handle(() => {
    throw createRPCError('NotImplemented');
  });
});

server.listen(Number(process.argv[2]), '127.0.0.1').catch((error) => {
  console.error(error);
  process.exit(1);
});
process.stdin.on('end', () => process.exit(0)).resume();
