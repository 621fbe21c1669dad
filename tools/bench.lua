-- What nginx asks by auth_request, for wrk. Arguments: the path, what stands before the cookie, a file with a cookie a line,
-- and how many of them ask in turn.
local requests, at = {}, 0

function init(arguments)
    for cookie in io.lines(arguments[3]) do
        requests[#requests + 1] = wrk.format("GET", arguments[1], {
            ["Host"] = "127.0.0.1",
            ["X-Forwarded-Method"] = "GET",
            ["X-Forwarded-Proto"] = "https",
            ["X-Forwarded-Host"] = "wiki.example.com",
            ["X-Forwarded-Uri"] = "/page?x=1",
            ["X-Forwarded-For"] = "192.0.2.7",
            ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ["Accept-Language"] = "en-US,en;q=0.5",
            ["Accept-Encoding"] = "gzip, deflate, br, zstd",
            ["Cookie"] = arguments[2] .. cookie,
        })
        if #requests == tonumber(arguments[4]) then break end
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

-- Requests, requests that were not answered 200, microseconds of the whole, and of the slowest one in a hundred.
function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    print(string.format("RESULT %d %d %d %d", summary.requests, failed, summary.duration, latency:percentile(99)))
end
