import {createRequire} from 'node:module';
import {declare} from './cometd.mjs';

// Up to version 7 the library is made of CommonJS modules, one for each extension.
const require = createRequire(import.meta.url);
declare(require('cometd7/package.json').version, require('nodejs-client1').adapt, {
    ...require('cometd7'),
    AckExtension: require('cometd7/AckExtension.js'),
    BinaryExtension: require('cometd7/BinaryExtension.js'),
    ReloadExtension: require('cometd7/ReloadExtension.js'),
    TimeStampExtension: require('cometd7/TimeStampExtension.js'),
    TimeSyncExtension: require('cometd7/TimeSyncExtension.js'),
});
