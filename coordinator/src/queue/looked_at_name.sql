-- Notes that what lies at ($1, $2) was looked at while it was to be the master of the $3rd job, and mended if $4: then
-- a still later job's may have been lost, and it is looked at for longer.
update delivered_name
set contested_until = case
    when ordinal <> $3 and $4 then now() + interval '10 minutes'
    when contested_until > now() then contested_until
end
where project_id = $1 and path = $2
