import Alpine from "@alpinejs/csp";
import htmx from "htmx.org";

import { readMessagesWhenOpened } from "./call-messages";
import { openCallsBesideTheList } from "./call-pane";
import { tickDurations } from "./durations";
import { fold } from "./fold";
import { LiveView } from "./live";
import { tellLogOut } from "./log-out";
import { tellFailedRequests } from "./request-errors";
import { themeSwitch } from "./theme-switch";

// An error page is not a list of calls: keep what is shown, and say so (request-errors.ts).
htmx.config.noSwap = [204, 304, "4xx", "5xx"] as unknown as number[];
htmx.config.includeIndicatorCSS = false;
// Back and forward load the whole page: a list alone is what a filter's request would get.
htmx.config.history = "reload";

Alpine.data("themeSwitch", themeSwitch);
Alpine.data("fold", fold);
Alpine.start();

tellFailedRequests();
tellLogOut();
openCallsBesideTheList();
readMessagesWhenOpened();
tickDurations(document);
setInterval(() => tickDurations(document), 1000);

const live = document.getElementById("live");
if (live) new LiveView(live).start();
