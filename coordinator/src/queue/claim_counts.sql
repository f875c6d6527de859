-- The time, what runs, counted, and the named limits.
select
    (extract(epoch from farm_now()) * 1000000)::bigint,
    (select counts from usage order by version desc limit 1),
    (select coalesce(jsonb_object_agg(name, count), '{}') from named_limit)
