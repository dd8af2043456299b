// RFC 4825 clause 6: URI construction.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('6', server);
