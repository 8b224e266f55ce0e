// Reports one lesson to a SCORM 2004 (4th edition) learning management system.
// Without one, the page stays an ordinary page: nothing fails, nothing is reported.
// A page without a button of the id "done" never reports a completion status.
(function () {
  "use strict";

  // The API is looked for in the parents first and in the opener's parents then,
  // as section 3.3 of the SCORM 2004 run-time environment asks.
  function findApi(start) {
    for (var frame = start, hops = 0; frame && hops < 500; hops += 1) {
      try {
        if (frame.API_1484_11) { return frame.API_1484_11; }
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
  var open = Boolean(api) && String(api.Initialize("")) === "true";

  function finish() {
    if (!open) { return; }
    open = false;
    var seconds = Math.round((Date.now() - startedAt) / 1000);
    api.SetValue("cmi.session_time", "PT" + seconds + "S");
    api.Commit("");
    api.Terminate("");
  }

  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("done");
    if (!button) { return; }
    if (open && String(api.GetValue("cmi.completion_status")) !== "completed") {
      api.SetValue("cmi.completion_status", "incomplete");
      api.Commit("");
    }
    button.addEventListener("click", function () {
      if (open) {
        api.SetValue("cmi.completion_status", "completed");
        api.SetValue("cmi.success_status", "passed");
        api.Commit("");
      }
      button.textContent = "Read";
      button.disabled = true;
    });
  });
  window.addEventListener("pagehide", finish);
  window.addEventListener("beforeunload", finish);
}());
