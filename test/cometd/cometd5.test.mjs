import nodejs from 'nodejs-client1';
import library from 'cometd5';
import {declare} from './scenarios.mjs';

nodejs.adapt();
declare('cometd 5.0.19', library.CometD);
