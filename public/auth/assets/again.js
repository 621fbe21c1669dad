// A page that goes on by itself: to `path`, or, where it only looks again, to itself once the server shows another one.
// Nobody is torn out of reading a page that has not changed. Constant, as boot.js is.
const { seconds, path } = document.querySelector("script[data-seconds]").dataset;
const content = (page) => page.querySelector("main").innerHTML;
const look = async () => {
  if (document.hidden) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (content(now) !== content(document)) location.reload();
};
// Going anew cancels a navigation under way, so one has long enough to arrive.
const go = () => {
  location.replace(path);
  setTimeout(go, 15_000);
};
if (path) setTimeout(go, seconds * 1000);
else setInterval(() => look().catch(() => {}), seconds * 1000);
