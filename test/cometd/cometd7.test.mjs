import nodejs from 'nodejs-client1';
import library from 'cometd7';
import {open} from '../bayeuxjs/page.mjs';
import {declare} from './scenarios.mjs';

open(nodejs.adapt);
declare('cometd 7.0.13', library.CometD);
