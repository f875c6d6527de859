-- Whether of each of these named limits there is one left, as the claim would find it; of one that is not set there is none.
create function limits_have_room(limits text[]) returns boolean
language sql stable
return not exists (
    select from unnest(limits) as wanted (name)
    left join named_limit using (name)
    cross join (select counts from usage order by version desc limit 1) as running
    where coalesce((running.counts ->> ('limit/' || name))::bigint, 0) >= coalesce(named_limit.count, 0));
