/** What to tell a person when something could not be done. */

import { Refused } from "../../client/client.ts";

export function describe(error: unknown): string {
  if (error instanceof TypeError) return "There is no connection: that was not done.";
  if (!(error instanceof Refused)) return "Something went wrong on this page. Load it again.";
  switch (error.status) {
    case 401: // with a token that is new: the user can do nothing about it
      return `You are signed in, and the API does not take your token: ${error.message}.`;
    case 404:
      return "This task has been deleted elsewhere.";
    case 413:
      return "That is too long.";
    case 422:
      return error.message.split("\n").slice(1).join("; ") || error.message;
    case 429:
      return `That was a lot at once. Try again in ${error.retryAfter ?? 60} seconds.`;
    case 409:
    case 503:
      return "The service is not available at the moment. Try again.";
    default: // the number finds the request in the service's log
      return `Something went wrong on the server (${error.requestId ?? error.status}). Try again later.`;
  }
}
