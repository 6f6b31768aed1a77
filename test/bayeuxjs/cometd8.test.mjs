// From version 8 on the library is made of ES modules and needs the second generation of its adapter.
import {createRequire} from 'node:module';
import {adapt} from 'nodejs-client2';
import * as kit from 'cometd8';
import {declare} from './cometd.mjs';

declare(createRequire(import.meta.url)('cometd8/package.json').version, adapt, kit);
