import {createRequire} from 'node:module';
import {declare} from './cometd.mjs';

// Up to version 7 the library is made of CommonJS modules, one for each extension.
const require = createRequire(import.meta.url);
declare(require('cometd4/package.json').version, require('nodejs-client1').adapt, {
    ...require('cometd4'),
    AckExtension: require('cometd4/AckExtension.js'),
    BinaryExtension: require('cometd4/BinaryExtension.js'),
    ReloadExtension: require('cometd4/ReloadExtension.js'),
    TimeStampExtension: require('cometd4/TimeStampExtension.js'),
    TimeSyncExtension: require('cometd4/TimeSyncExtension.js'),
});
