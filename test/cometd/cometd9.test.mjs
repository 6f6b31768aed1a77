// From version 8 on the library is made of ES modules and needs the second generation of its adapter.
import {adapt} from 'nodejs-client2';
import {CometD} from 'cometd9';
import {open} from '../bayeuxjs/page.mjs';
import {declare} from './scenarios.mjs';

open(adapt);
declare('cometd 9.0.0', CometD);
