import {createRequire} from 'node:module';
import {declare} from './cometd.mjs';

// Up to version 7 the library is made of CommonJS modules, one for each extension.
const require = createRequire(import.meta.url);
declare(require('cometd3/package.json').version, require('nodejs-client1').adapt, {
    ...require('cometd3'),
    AckExtension: require('cometd3/AckExtension.js'),
    BinaryExtension: require('cometd3/BinaryExtension.js'),
    ReloadExtension: require('cometd3/ReloadExtension.js'),
    TimeStampExtension: require('cometd3/TimeStampExtension.js'),
    TimeSyncExtension: require('cometd3/TimeSyncExtension.js'),
});
