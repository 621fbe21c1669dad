// Lets a page continue automatically: to `path`, or else to itself, but only once the server shows another page, so that
// an unchanged page is not reloaded while it is being read. Constant, as boot.js is.
const { seconds, path } = document.querySelector("script[data-seconds]").dataset;
const content = (page) => page.querySelector("main").innerHTML;
const look = async () => {
  if (document.hidden) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (content(now) !== content(document)) location.reload();
};
// A new navigation cancels the one in progress, so each gets enough time to finish.
const go = () => {
  location.replace(path);
  setTimeout(go, 15_000);
};
if (path) setTimeout(go, seconds * 1000);
else setInterval(() => look().catch(() => {}), seconds * 1000);
