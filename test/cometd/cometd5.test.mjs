import nodejs from 'nodejs-client1';
import library from 'cometd5';
import {open} from '../bayeuxjs/page.mjs';
import {declare} from './scenarios.mjs';

open(nodejs.adapt);
declare('cometd 5.0.19', library.CometD);
