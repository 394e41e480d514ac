# The id is <namespace>/<name>, with the namespace of the members. Where these are in
# several, it is the first one by name.
terraform import switchback_deployment_group.shop shop/shop
