import {createRequire} from 'node:module';
import {declare} from './cometd.mjs';

// Up to version 7 the library is made of CommonJS modules, one for each extension.
const require = createRequire(import.meta.url);
declare(require('cometd5/package.json').version, require('nodejs-client1').adapt, {
    ...require('cometd5'),
    AckExtension: require('cometd5/AckExtension.js'),
    BinaryExtension: require('cometd5/BinaryExtension.js'),
    ReloadExtension: require('cometd5/ReloadExtension.js'),
    TimeStampExtension: require('cometd5/TimeStampExtension.js'),
    TimeSyncExtension: require('cometd5/TimeSyncExtension.js'),
});
