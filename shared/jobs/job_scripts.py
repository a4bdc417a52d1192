"""The Lua scripts that change job records, each atomically on the Redis server."""

from shared.reasons import MAX_REPORTED

JOB_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 14400)
"""Upper bounds by which the durations of jobs are counted."""

# ARGV[1] is the job id, ARGV[2] the time to live of an ended job in seconds. Reasons are JSON, as `Reason.as_dict` has them.
# A script may run twice for one call, since a client that got no answer sends it again. Where the record does not tell that
# the first run was this call's own, the script remembers its answer (`answered`), which the second run gives again.
_PREAMBLE = """
local answer = KEYS[12]
local known = redis.call('GET', answer)
if known then return cjson.decode(known)[1] end
local function answered(value)
    -- Seconds; longer than any client asks again.
    redis.call('SET', answer, cjson.encode({value}), 'EX', 60)
    return value
end
local record, due, leases, attempts, report = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local open, ended, by_state, webhooks = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local id, ttl = ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local state = redis.call('HGET', record, 'state')
local live = state == 'queued' or state == 'running'
-- A job is listed among all, and among those of its owner; '' stands for none.
local function lists()
    return {by_state, KEYS[13] .. (redis.call('HGET', record, 'owner') or '') .. ':'}
end
local function charge(rows)
    local owner = redis.call('HGET', record, 'owner')
    if not owner or not rows then return end
    local day = math.floor(now / 86400)
    local counter = KEYS[14] .. owner .. ':' .. day
    redis.call('INCRBY', counter, rows)
    redis.call('EXPIRE', counter, 172800)
    redis.call('HSET', record, 'charged_on', day)
end
-- What was charged yesterday limits nothing today.
local function give_back()
    local facts = redis.call('HMGET', record, 'owner', 'rows', 'charged_on')
    local day = math.floor(now / 86400)
    if tonumber(facts[3]) == day then redis.call('DECRBY', KEYS[14] .. facts[1] .. ':' .. day, facts[2]) end
end
local function enter(new)
    local created = redis.call('HGET', record, 'created_at')
    redis.call('HSET', record, 'state', new)
    for _, list in ipairs(lists()) do
        if state then redis.call('ZREM', list .. state, id) end
        redis.call('ZADD', list .. new, created, id)
        redis.call('ZADD', list .. 'any', created, id)
    end
end
local function add_to_totals(final)
    local seconds = math.max(0, now - tonumber(redis.call('HGET', record, 'created_at') or now))
    local bucket = '+Inf'
    for _, bound in ipairs({DURATIONS}) do
        if seconds <= bound then
            bucket = bound
            break
        end
    end
    redis.call('HINCRBY', KEYS[15], final .. ':' .. bucket, 1)
    redis.call('HINCRBYFLOAT', KEYS[15], final .. ':seconds', string.format('%.3f', seconds))
end
local function finish(final, reason)
    enter(final)
    if final == 'failed' and redis.call('HGET', record, 'retryable') == '0' then give_back() end
    add_to_totals(final)
    redis.call('HSET', record, 'finished_at', now, 'expires_at', now + ttl)
    if reason ~= '' then redis.call('HSET', record, 'error', reason) end
    redis.call('DEL', due, leases, attempts)
    redis.call('ZREM', open, id)
    redis.call('ZADD', ended, now + ttl, id)
    if redis.call('HEXISTS', record, 'callback_url') == 1 then redis.call('ZADD', webhooks, now, id) end
end
-- A lease is '<end> <owner> <run of the server>'; an owner is '<worker>/<attempt>', and a worker speaks for its attempts.
local function lease_of(unit)
    return string.match(redis.call('HGET', leases, unit) or '', '^(%S+) ?(%S*) ?(%S*)$')
end
local function is_held_by(owner, unit)
    local _, holder = lease_of(unit)
    return holder == owner or (holder and string.sub(holder, 1, #owner + 1) == owner .. '/')
end
local function run_of_server()
    local info = redis.pcall('INFO', 'server')
    return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
end
local function hold(unit, owner, lease)
    redis.call('HSET', leases, unit, string.format('%.6f %s %s', now + lease, owner, run_of_server()))
    redis.call('ZADD', due, now + lease, unit)
end
local function publish(unit, lease)
    redis.call('ZADD', due, now + lease, unit)
    return unit
end
local function done(unit)
    if not live or redis.call('ZREM', due, unit) == 0 then return false end
    redis.call('HDEL', leases, unit)
    redis.call('HDEL', attempts, unit)
    redis.call('HDEL', record, 'last_error:' .. unit)
    return true
end
local function fill(window, lease)
    local facts = redis.call('HMGET', record, 'rows', 'chunk_rows', 'next_chunk')
    local units = {}
    if not facts[1] then return units end
    local chunks, next_chunk = math.ceil(tonumber(facts[1]) / tonumber(facts[2])), tonumber(facts[3])
    local room = window - redis.call('ZCARD', due)
    while next_chunk < chunks and room > 0 do
        units[#units + 1] = publish(tostring(next_chunk), lease)
        next_chunk, room = next_chunk + 1, room - 1
    end
    redis.call('HSET', record, 'next_chunk', next_chunk)
    return units
end
local function forget_scores()
    for _, field in ipairs(redis.call('HKEYS', record)) do
        if string.sub(field, 1, 11) == 'last_error:' or string.sub(field, 1, 7) == 'unseen:' then
            redis.call('HDEL', record, field)
        end
    end
    redis.call('HSET', record, 'rows_done', 0, 'granted', 0, 'refused', 0, 'invalid', 0)
end
-- What is invalid arrives as '<rows> <values> <listed> <the listed ones as JSON>'. The report adds up rows and values, and keeps a
-- list for each chunk, of as many leading chunks as make up the first ones; a report on all rows at once is that of chunk 0.
local most_reported = MOST_REPORTED
local function add_to_report(chunk, found)
    local rows, values, list = string.match(found, '^(%d+) (%d+) (.*)$')
    if not rows then return end
    redis.call('HINCRBY', report, 'invalid_rows', rows)
    redis.call('HINCRBY', report, 'invalid_values', values)
    redis.call('HSET', report, chunk, list)
    local chunks, listed = {}, 0
    for _, field in ipairs(redis.call('HKEYS', report)) do chunks[#chunks + 1] = tonumber(field) end
    table.sort(chunks)
    for _, one in ipairs(chunks) do
        if listed >= most_reported then redis.call('HDEL', report, one) end
        listed = listed + (string.match(redis.call('HGET', report, one) or '', '^%d+') or 0)
    end
end
local function set_report(found)
    if found == '' then return end
    redis.call('DEL', report)
    add_to_report(0, found)
end
""".replace("MOST_REPORTED", str(MAX_REPORTED)).replace("DURATIONS", ", ".join(map(str, JOB_SECONDS)))

_CREATE = """
local window, lease, created = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
if state then return {'', redis.call('ZRANGE', due, 0, -1)} end
if redis.call('EXISTS', record .. ':abandoned') == 1 then return {'abandoned', {}} end
if ARGV[6] ~= '' then
    local submission = KEYS[10] .. ARGV[6]
    local known = redis.call('GET', submission) or ''
    local first, fingerprint = string.match(known, '^(%S+) (%S*)$')
    if first and redis.call('EXISTS', KEYS[11] .. first) == 1 then
        return {fingerprint == ARGV[7] and first or 'conflict', {}}
    end
    redis.call('SET', submission, id .. ' ' .. ARGV[7], 'EX', ARGV[8])
end
for i = 10, #ARGV, 2 do redis.call('HSET', record, ARGV[i], ARGV[i + 1]) end
set_report(ARGV[9])
charge(redis.call('HGET', record, 'rows'))
enter('queued')
redis.call('ZADD', open, created, id)
if redis.call('HGET', record, 'stage') == 'reading' then return {'', {publish('reading', lease)}} end
return {'', fill(window, lease)}
"""

_ABANDON = """
if state then return 0 end
redis.call('SET', record .. ':abandoned', 1, 'EX', ARGV[3])
return 1
"""

_CLAIM = """
local unit, owner, lease, limit, died = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
if not live or not redis.call('ZSCORE', due, unit) then return 'over' end
local held_until, holder, run = lease_of(unit)
if holder == owner then
    hold(unit, owner, lease)
    return 'taken'
end
if held_until and tonumber(held_until) > now then return 'held' end
-- Not in full: what takes the whole machine down with it must come to an end too.
if held_until and run ~= run_of_server() then redis.call('HINCRBYFLOAT', attempts, unit, -0.75) end
local is_chunk = tonumber(unit)
if tonumber(redis.call('HGET', attempts, unit) or 0) >= limit then
    local last = redis.call('HGET', record, 'last_error:' .. unit) or died
    local kind = is_chunk and 'chunk-given-up' or 'file-given-up'
    local named = is_chunk and unit or cjson.encode(unit)
    -- The last reason goes in as it is: decoded and encoded again, empty lists and large numbers would change.
    local params = '{"unit":' .. named .. ',"attempts":' .. limit .. ',"reason":' .. last .. '}'
    redis.call('HINCRBY', KEYS[15], 'given-up', 1)
    finish('failed', '{"type":"' .. kind .. '","params":' .. params .. '}')
    return 'over'
end
redis.call('HINCRBYFLOAT', attempts, unit, 1)
hold(unit, owner, lease)
if state == 'queued' then
    enter('running')
    redis.call('HSET', record, 'started_at', now)
end
if is_chunk then redis.call('HSETNX', record, 'scoring_at', now) end
return 'taken'
"""

_RENEW = """
local unit, owner = ARGV[3], ARGV[4]
if not live or not is_held_by(owner, unit) then return 0 end
hold(unit, owner, tonumber(ARGV[5]))
if ARGV[6] ~= '' then redis.call('HSET', record, 'rows_read', ARGV[6]) end
return 1
"""

# Whoever holds the lease may remove what another reading has written; so only the holder's reading counts.
_COMMIT_READING = """
local unit, owner, lease, window = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
if redis.call('HGET', record, 'attempt') == ARGV[10] then return redis.call('ZRANGE', due, 0, -1) end
if not is_held_by(owner, unit) or not done(unit) then return false end
redis.call('HSET', record, 'rows', ARGV[7], 'rows_read', ARGV[7], 'chunk_rows', ARGV[8], 'batch_rows', ARGV[9],
    'attempt', ARGV[10], 'in_place', ARGV[11], 'checksum', ARGV[12], 'stage', 'scoring')
charge(ARGV[7])
return fill(window, lease)
"""

# Rows of a rejected file that were read in place are invalid only here: of stored rows, all are valid.
_COMMIT = """
local lease, window = tonumber(ARGV[4]), tonumber(ARGV[5])
if not done(ARGV[3]) then return false end
redis.call('HINCRBY', record, 'rows_done', ARGV[6])
redis.call('HINCRBY', record, 'granted', ARGV[7])
redis.call('HINCRBY', record, 'refused', ARGV[8])
redis.call('HINCRBY', record, 'invalid', ARGV[9])
add_to_report(ARGV[3], ARGV[10])
for i = 11, #ARGV, 2 do redis.call('HINCRBY', record, 'unseen:' .. ARGV[i], ARGV[i + 1]) end
local units = fill(window, lease)
if redis.call('EXISTS', due) == 1 then return answered(units) end
local rejects = redis.call('HGET', record, 'on_invalid') == 'reject'
local values = redis.call('HGET', report, 'invalid_values')
if rejects and values then
    redis.call('HSET', record, 'retryable', 0)
    forget_scores()
    finish('failed', '{"type":"invalid-rows","params":{"count":' .. values .. ',"limit":' .. most_reported .. '}}')
    return answered(false)
end
if redis.call('HEXISTS', record, 'output_uri') == 1 then
    redis.call('HSET', record, 'stage', 'writing')
    return answered({publish('writing', lease)})
end
finish('succeeded', '')
return answered(units)
"""

_COMMIT_WRITING = """
if not done(ARGV[3]) then return 0 end
finish('succeeded', '')
return answered(1)
"""

_FILL = """
if not live then return {} end
return answered(fill(tonumber(ARGV[4]), tonumber(ARGV[3])))
"""

_END = """
if not live then return 0 end
redis.call('HSET', record, 'retryable', ARGV[5])
set_report(ARGV[6])
finish(ARGV[3], ARGV[4])
return answered(1)
"""

_RETRY = """
if state ~= 'failed' or redis.call('HGET', record, 'retryable') == '0' then return false end
local lease, window = tonumber(ARGV[3]), tonumber(ARGV[4])
forget_scores()
-- What is invalid in a file that is read in place is found anew.
if redis.call('HGET', record, 'in_place') == '1' then redis.call('DEL', report) end
redis.call('HDEL', record, 'error', 'started_at', 'finished_at', 'expires_at', 'scoring_at')
redis.call('HSET', record, 'next_chunk', 0, 'webhook_attempts', 0)
redis.call('ZREM', ended, id)
redis.call('ZREM', webhooks, id)
enter('queued')
redis.call('ZADD', open, redis.call('HGET', record, 'created_at'), id)
if redis.call('HEXISTS', record, 'rows') == 1 then
    redis.call('HSET', record, 'stage', 'scoring')
    return answered(fill(window, lease))
end
redis.call('HSET', record, 'stage', 'reading', 'rows_read', 0)
return answered({publish('reading', lease)})
"""

_RELEASE = """
local unit, owner, reason, is_large = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not live or not is_held_by(owner, unit) then return 0 end
redis.call('HDEL', leases, unit)
redis.call('ZADD', due, now, unit)
if is_large == '1' then redis.call('HSET', record, 'is_large', is_large) end
if reason == '' then
    redis.call('HINCRBYFLOAT', attempts, unit, -1)
else
    redis.call('HSET', record, 'last_error:' .. unit, reason)
end
return answered(1)
"""

_OVERDUE = """
return redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, tonumber(ARGV[3]))
"""

_POSTPONE = """
for i = 4, #ARGV do redis.call('ZADD', due, 'XX', now + tonumber(ARGV[3]), ARGV[i]) end
"""

_QUEUED_ROWS = """
local rows = 0
for _, job in ipairs(redis.call('ZRANGE', open, 0, -1)) do
    local facts = redis.call('HMGET', KEYS[11] .. job, 'rows', 'rows_read', 'rows_done')
    rows = rows + tonumber(facts[1] or facts[2] or 0) - tonumber(facts[3] or 0)
end
return rows
"""

_BEGIN_WEBHOOK = """
local due_at = redis.call('ZSCORE', webhooks, id)
if not due_at or tonumber(due_at) > now then return false end
if not state then
    redis.call('ZREM', webhooks, id)
    return false
end
redis.call('ZADD', webhooks, now + tonumber(ARGV[3]), id)
return answered(redis.call('HINCRBY', record, 'webhook_attempts', 1) - 1)
"""

_NOTE_REPORT = """
if state then set_report(ARGV[3]) end
"""

_FORGET = """
if live and ARGV[3] == '0' then return 0 end
for _, list in ipairs(lists()) do
    redis.call('ZREM', list .. 'any', id)
    if state then redis.call('ZREM', list .. state, id) end
end
redis.call('DEL', record, due, leases, attempts, report)
redis.call('ZREM', open, id)
redis.call('ZREM', ended, id)
redis.call('ZREM', webhooks, id)
return 1
"""

SCRIPTS = {
    name: _PREAMBLE + text
    for name, text in {
        "create": _CREATE,
        "abandon": _ABANDON,
        "claim": _CLAIM,
        "renew": _RENEW,
        "commit_reading": _COMMIT_READING,
        "commit": _COMMIT,
        "commit_writing": _COMMIT_WRITING,
        "fill": _FILL,
        "end": _END,
        "retry": _RETRY,
        "release": _RELEASE,
        "overdue": _OVERDUE,
        "postpone": _POSTPONE,
        "queued_rows": _QUEUED_ROWS,
        "begin_webhook": _BEGIN_WEBHOOK,
        "note_report": _NOTE_REPORT,
        "forget": _FORGET,
    }.items()
}
