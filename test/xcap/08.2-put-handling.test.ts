// RFC 4825 clause 8.2: PUT handling.
import { vectorsOf } from './vectors.ts';
import { xcapServer } from './xcap-server.ts';

const server = xcapServer();

vectorsOf('8.2', server);
