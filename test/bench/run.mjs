/** `npm run bench`: builds what is measured where it is older than its sources, then measures it. */
import { build, isStale } from '../../scripts/build.mjs';

if (isStale()) build();
await import('./main.ts');
