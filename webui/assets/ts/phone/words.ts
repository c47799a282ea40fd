/** What a call's end means, by JsSIP's cause and the SIP status; "" if there is nothing to say. */
export function wordsForEnd(cause: string, status: number): string {
  switch (status) {
    case 404:
    case 604:
      return "There is no such number.";
    case 480:
      return "Nobody can be reached there at the moment.";
    case 486:
    case 600:
      return "Busy.";
    case 603:
      return "Declined.";
    case 481:
      return "That call is over already.";
    case 408:
      return "Nobody answered.";
    case 488:
    case 606:
      return "The other phone speaks no kind of sound that this browser knows.";
    case 503:
      return "The telephone system has too much to do. Try again soon.";
  }
  if (status >= 300 && status < 400) {
    return "This number has another address now, and a page does not follow there.";
  }
  switch (cause) {
    case "Canceled":
    case "Terminated":
      return "";
    case "No Answer":
    case "Expires":
      return "Nobody answered.";
    case "Connection Error":
    case "Request Timeout":
      return "The telephone system did not answer.";
    case "No ACK":
      return "The other phone did not go on with the call.";
    case "WebRTC Error":
    case "Bad Media Description":
    case "Incompatible SDP":
      return "No sound connection came about with the other phone.";
    case "Authentication Error":
      return "The telephone system did not accept this page. Load it again.";
  }
  return status >= 300 ? `The call was refused (${status}).` : "";
}
