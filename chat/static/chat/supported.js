// A classic script, so that browsers without modules run it, too: they show why nothing works.
(function () {
  "use strict";
  var isSupported =
    "noModule" in HTMLScriptElement.prototype &&
    "TextDecoderStream" in window &&
    "findLastIndex" in Array.prototype &&
    "ariaLabel" in Element.prototype;
  if (!isSupported) document.getElementById("unsupported").hidden = false;
})();
