-- Two lanes are younger than what they tell of: whatever was never said on them is woken once, and says it.

INSERT INTO timers (aggregate, key, due_at)
SELECT 'issue', i.id::text, now()
FROM issues AS i
LEFT JOIN heads AS h ON h.lane = 'events.confidential' AND h.key = i.id::text
WHERE i.confidential AND h.key IS NULL
ON CONFLICT DO NOTHING;

-- The part that every desk has from the beginning says nothing of anybody until somebody saves it.
INSERT INTO timers (aggregate, key, due_at)
SELECT 'part', p.id::text, now()
FROM parts AS p
LEFT JOIN heads AS h ON h.lane = 'events.parts' AND h.key = p.id::text
WHERE NOT p.deleted AND (p.state::json #>> '{facts,version}')::bigint > 0 AND h.key IS NULL
ON CONFLICT DO NOTHING;
