// Reports one lesson to a SCORM 1.2 learning management system.
// Without one, the page stays an ordinary page: nothing fails, nothing is reported.
(function () {
  "use strict";

  // The API is looked for in the parents first and in the opener's parents then,
  // as section 3.3.6.1 of the SCORM 1.2 run-time environment asks.
  function findApi(start) {
    for (var frame = start, hops = 0; frame && hops < 7; hops += 1) {
      try {
        if (frame.API) { return frame.API; }
      } catch (refused) {
        return null; // A frame of another origin may not be looked into.
      }
      if (frame.parent === frame) { break; }
      frame = frame.parent;
    }
    return null;
  }

  var api = findApi(window) || (window.opener ? findApi(window.opener) : null);
  var startedAt = Date.now();
  var open = Boolean(api) && String(api.LMSInitialize("")) === "true";

  // CMITimespan of SCORM 1.2: HHHH:MM:SS.
  function timespan(milliseconds) {
    var seconds = Math.round(milliseconds / 1000);
    function padded(number, width) { return ("0000" + number).slice(-width); }
    return padded(Math.floor(seconds / 3600), 4) + ":" +
      padded(Math.floor(seconds / 60) % 60, 2) + ":" + padded(seconds % 60, 2);
  }

  function finish() {
    if (!open) { return; }
    open = false;
    api.LMSSetValue("cmi.core.session_time", timespan(Date.now() - startedAt));
    api.LMSCommit("");
    api.LMSFinish("");
  }

  if (open) {
    var status = String(api.LMSGetValue("cmi.core.lesson_status"));
    if (status === "not attempted" || status === "unknown" || status === "") {
      api.LMSSetValue("cmi.core.lesson_status", "incomplete");
      api.LMSCommit("");
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("done");
    button.addEventListener("click", function () {
      if (open) {
        api.LMSSetValue("cmi.core.lesson_status", "completed");
        api.LMSCommit("");
      }
      button.textContent = "Read";
      button.disabled = true;
    });
  });
  window.addEventListener("pagehide", finish);
  window.addEventListener("beforeunload", finish);
}());
