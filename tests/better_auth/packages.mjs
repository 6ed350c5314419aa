// Imports a package installed in ../npm. Node looks for packages beside a script and above it only, and these scripts
// stand beside the Python that starts them.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../npm/package.json", import.meta.url));

/** The module `name` (such as "better-auth/node"), as `import(name)` would give it. */
export const load = (name) => import(pathToFileURL(require.resolve(name)).href);
